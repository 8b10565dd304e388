/** Both ways to the volume server, for one front. */
import type { Forwarders, ForwardingOptions } from '../front/forwarder.ts';
import { Passthrough } from './passthrough.ts';
import { Relay } from './relay.ts';

export function forwarders(options: ForwardingOptions): Forwarders {
  const relay = new Relay(options);
  const passthrough = new Passthrough(options, relay);
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
