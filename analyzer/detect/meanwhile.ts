/** The items of a slow source as they come, and meanwhile those of one that has them ready. A source left early is ended. */
export async function* meanwhile<Item>(
  slow: AsyncIterable<Item>,
  ready: Iterable<Item>,
): AsyncGenerator<Item> {
  const [coming, others] = [slow[Symbol.asyncIterator](), ready[Symbol.iterator]()];
  const asked = () => {
    const one = { isHere: false, next: coming.next() };
    const come = (): void => {
      one.isHere = true;
    };
    one.next.then(come, come);
    return one;
  };
  try {
    let one = asked();
    for (let isMore = true; ; ) {
      const other = isMore && !one.isHere ? others.next() : undefined;
      if (other && !other.done) {
        yield other.value;
        continue;
      }
      if (other?.done) isMore = false;
      const { done, value } = await one.next;
      if (done) break;
      one = asked();
      yield value;
    }
    for (let other = others.next(); !other.done; other = others.next()) yield other.value;
  } finally {
    await coming.return?.();
  }
}
