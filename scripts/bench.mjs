// `npm run bench`: enters the Node that the project pins, under which bench/main.ts measures.
import { continueUnderPinnedNode } from './setup/pinned-node.mjs';

continueUnderPinnedNode();
await import('../bench/main.ts');
