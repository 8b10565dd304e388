// Keeps WebAssembly in the code that V8 makes of it first: under emulation the walk of the stack that decides on better code ends the
// process ("Check failed: it->second.Size() > offset", V8 13.6). undici's parser is such code.
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-wasm-dynamic-tiering');
setFlagsFromString('--no-wasm-tier-up');
