import { parseJson } from '../../model/json.ts';
import type { Masking } from '../../model/masking.ts';
import type { LetterJudge } from '../../store/letter-replay.ts';
import { judgeEvent } from './event.ts';
import { VERSIONS, type Versions } from './versions.ts';

/** Judges the body of a dead letter as if its sender had sent it now. */
export const letterJudge =
  (versions: Versions = VERSIONS, masking?: Masking): LetterJudge =>
  ({ sender, body }, now) => {
    let envelope: unknown;
    try {
      envelope = parseJson(body);
    } catch {
      return { refused: 'malformed', problems: [{ where: '', what: 'the body is not JSON' }] };
    }
    if (Array.isArray(envelope))
      return {
        refused: 'malformed',
        problems: [{ where: '', what: 'a batch that was refused as a whole: its sender must send it again' }],
      };
    return judgeEvent(envelope, { sender, now, versions, masking });
  };
