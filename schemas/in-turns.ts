/** Requests at once: the local registry answers one in a few milliseconds, and there are fifty schemas. */
const atOnce = 6;

/** A few at a time, results in the order of the items. After an error nothing new is begun. */
export async function inTurns<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const take = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await act(items[index] as T);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, take));
  } finally {
    next = items.length;
  }
  return results;
}
