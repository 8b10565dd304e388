/** Both ways to the volume server, for one front. */
import type { Forwarders, ForwardingOptions } from '../front/forwarder.ts';
import { FramingPace } from './framing-pace.ts';
import { Passthrough } from './passthrough.ts';
import { Relay } from './relay.ts';

export function forwarders(options: ForwardingOptions): Forwarders {
  const pace = new FramingPace();
  const relay = new Relay(options, pace);
  const passthrough = new Passthrough(options, relay, pace);
  return {
    relay,
    passthrough,
    get pools() {
      return relay.pools;
    },
    close() {
      relay.close();
      passthrough.close();
    },
  };
}
