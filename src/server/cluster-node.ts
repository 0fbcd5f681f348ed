/** One node of a cluster, whatever carries its messages. */
export interface ClusterNode {
  readonly isRunning: boolean;
}
