import { z } from 'zod';
import { durationText } from './duration.ts';
import { eventField } from './event-field.ts';

const localTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM');

/** A time before or after a date: days, weeks, working days, hours: `-3bd`, `+5d`, `-2h`. */
export const shiftText = z
  .string()
  .regex(/^[+-]\d{1,6}(s|m|h|d|w|bd)$/, 'must be a sign and a duration, such as -3bd, +5d or -2h');

const closeDayText = z
  .string()
  .regex(/^WD-?[1-9]\d?$/, 'must be a working day of the close, such as WD1, WD2 or WD-2');

/** When something is due. At least one of `within` and `until` is given; of both the earlier counts. */
export const timing = {
  within: durationText.optional().describe('allowed time: elapsed (30m, 4h, 14d) or business (3bd, 6bh)'),
  closing: durationText
    .optional()
    .describe('allowed time instead of `within` for what starts from WD-2 to the end of WD2 of a close'),
  cutoff: localTime
    .optional()
    .describe('local time of a working day; what starts later counts from the next working day'),
  until: z
    .union([
      closeDayText,
      z.strictObject({
        field: eventField.describe('a date, due at its end, or an instant'),
        shift: shiftText.optional(),
      }),
    ])
    .optional()
    .describe('the end of a working day of the close of its period (WD1), or a date that the event names'),
  grace: durationText.optional().describe('added to the deadline before anybody is told'),
};
export type Timing = z.infer<z.ZodObject<typeof timing>>;

export const hasDeadline = ({ within, until }: Timing): boolean =>
  within !== undefined || until !== undefined;
export const NO_DEADLINE = 'must say when it is due: within, until, or both';
