/** A request as the endpoints see it. */
import type { Query } from '../../needle/request/query.ts';

export interface SidecarRequest {
  readonly method: string;
  readonly isHead: boolean;
  /** Parameters of the URL, or of the JSON body that a POST brought. */
  readonly query: Query;
  readonly wantsJson: boolean;
  readonly authorization: string | undefined;
  /** The client went away. */
  readonly signal: AbortSignal;
}
