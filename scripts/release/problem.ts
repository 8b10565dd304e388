/** A reason why there is no release, for the person who asked for it. */
export class ReleaseProblem extends Error {}
