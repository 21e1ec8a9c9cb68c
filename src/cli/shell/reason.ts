/**
 * Why a twin has its status, as a sentence. Berth begins the reason with the path of the property; a colon parts it from a
 * sentence about the device. @example 'wifi.ssid: the device answered 400: too long'
 */
export function twinReasonText(why: string): string {
  return why.replace(/^(\S+) (?=the device )/, '$1: ');
}
