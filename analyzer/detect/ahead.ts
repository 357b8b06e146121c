/** The items of the source, of which the next one is made while the consumer has one. A source left early is ended, and waited for. */
export async function* ahead<Item>(source: AsyncIterable<Item>): AsyncGenerator<Item> {
  const items = source[Symbol.asyncIterator]();
  let next = items.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = items.next();
      // A consumer that stops leaves it behind.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await items.return?.();
  }
}
