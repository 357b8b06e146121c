/** What was opened, to be closed in the reverse order. */
export interface Closing {
  /** Remembers a step that closes what was opened just now. */
  push(step: () => unknown): void;
  /**
   * Takes every step once, the last one first, whatever the others do: what is left open keeps the data directory locked.
   * Then throws what went wrong.
   */
  close(): Promise<void>;
  /** Closes after `error`, which is thrown: what goes wrong now only comes of it. */
  closeAfter(error: unknown): Promise<never>;
}

export function createClosing(): Closing {
  const steps: (() => unknown)[] = [];
  const closeAll = async (): Promise<unknown[]> => {
    const errors: unknown[] = [];
    for (const step of steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  };
  return {
    push: (step) => void steps.push(step),
    async close() {
      const errors = await closeAll();
      if (errors.length === 1) throw errors[0];
      if (errors.length > 1) {
        const said = errors.map((error) => (error instanceof Error ? error.message : String(error)));
        throw new AggregateError(errors, `not everything closed: ${said.join('; ')}`);
      }
    },
    async closeAfter(error) {
      await closeAll();
      throw error;
    },
  };
}
