/** Does the work end within `ms` milliseconds? Throws what it throws by then; what it throws later is nobody's. */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(late.resolve, ms, false);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
