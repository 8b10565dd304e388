/**
 * The open loop in a process of its own. Argument: its options as JSON. Prints one JSON document.
 */
import { writeFileSync } from 'node:fs';
import { askOpenLoop, type OpenLoopOptions } from './open-loop.ts';

// The kernel may otherwise let a nap of 20 µs last for 70.
writeFileSync('/proc/self/timerslack_ns', '1');
const options = JSON.parse(process.argv[2] ?? '') as OpenLoopOptions;
console.log(JSON.stringify(await askOpenLoop(options)));
