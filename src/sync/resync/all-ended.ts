/**
 * The results of tasks, after all have ended, also if one fails. A run that ended earlier would give up its lease while it still writes.
 *
 * @throws the error of the first task that failed
 */
export async function allEnded<Result>(tasks: readonly Promise<Result>[]): Promise<readonly Result[]> {
  const ended = await Promise.allSettled(tasks);
  return ended.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}
