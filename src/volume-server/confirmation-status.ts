/** The polls that confirm the volumes of a volume server. */
import {
  amount,
  count,
  described,
  flag,
  orAbsent,
  record,
  text,
  type ValueOf,
} from '../schema/json-schema.ts';

export const confirmationStatus = record({
  url: text,
  isOk: flag,
  successes: count,
  failures: count,
  ageMs: described(
    orAbsent(amount),
    'Since the last successful poll began; absent before the first.',
  ),
  failure: described(text, "Why the last poll failed; '' when it did not."),
});
export type ConfirmationStatus = ValueOf<typeof confirmationStatus>;
