// The state tables speak JSON. Only the policies and settings of a whole storage account are XML, which Berth never reads or writes. If
// an answer with an error is XML, `RestError` has its text as the message.
export const parseXML = () => Promise.resolve({});
export const stringifyXML = () => {
  throw new Error('The state tables have no requests in XML.');
};
