import type { AttentionPage } from '../api/contract.ts';
import { attentionQuery, readQuery } from '../api/queries.ts';
import type { Instance } from '../instance/instance.ts';
import { attentionPage } from './attention-page.ts';
import { listedHubs } from './cursor.ts';
import { answeringErrors, type HttpHandler, taggedAnswer } from './http-answer.ts';

/** The twins that need a person, page by page. */
export function attention(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const { hub, ...page } = readQuery(attentionQuery, request.query);
    const fleet = instance.fleet.current();
    return taggedAnswer<AttentionPage>(
      request,
      await attentionPage(instance.stores.twins, {
        ...page,
        hubs: listedHubs(fleet, hub),
        redaction: await instance.redaction(fleet),
      }),
    );
  });
}
