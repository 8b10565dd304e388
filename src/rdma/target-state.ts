/** The session with a target, and the volumes that it announces. */
import {
  count,
  decimal,
  described,
  either,
  flag,
  oneOf,
  record,
  text,
  type ValueOf,
} from '../schema/json-schema.ts';
import { statusNames } from './status.ts';

export const targetState = either(
  record({ kind: oneOf('connecting') }),
  record({
    kind: oneOf('up'),
    transport: described(text, "UCX's own name, or inproc."),
    sessionId: described(decimal, 'Decimal: it has 64 bits.'),
  }),
  record({
    kind: oneOf('down'),
    status: oneOf(...statusNames),
    detail: described(text, "The transport's own wording."),
  }),
);
export type TargetState = ValueOf<typeof targetState>;

export const targetVolume = record({
  volumeId: count,
  version: count,
  confirmed: flag,
  collection: text,
});
export type TargetVolume = ValueOf<typeof targetVolume>;
