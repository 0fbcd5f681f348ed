import { join } from 'node:path';

/** One server's line of an ensemble: both ports are for its peers. */
export interface EnsembleMember {
  readonly id: number;
  readonly quorumPort: number;
  readonly electionPort: number;
}

export interface ZooKeeperSettings {
  /** Where everything of this server lies. */
  readonly directory: string;
  readonly clientPort: number;
  /** The unit of all its timeouts: sessions last between 2 and 20 ticks. */
  readonly tickMs: number;
  /** Syncs every transaction to disk. */
  readonly forceSync: boolean;
  /** It is member `id` of these; null: a server alone. */
  readonly ensemble: { readonly id: number; readonly members: readonly EnsembleMember[] } | null;
}

export const dataDirectory = (directory: string): string => join(directory, 'data');

/** zoo.cfg of a server that listens on 127.0.0.1 only. */
export function zooKeeperConfiguration(settings: ZooKeeperSettings): string {
  const { directory, clientPort, tickMs, forceSync, ensemble } = settings;
  const lines = [
    `tickTime=${tickMs}`,
    'initLimit=20',
    'syncLimit=5',
    `dataDir=${dataDirectory(directory)}`,
    `clientPort=${clientPort}`,
    'clientPortAddress=127.0.0.1',
    'maxClientCnxns=0',
    '4lw.commands.whitelist=*',
    'admin.enableServer=false',
    'autopurge.snapRetainCount=3',
    'autopurge.purgeInterval=1',
    `forceSync=${forceSync ? 'yes' : 'no'}`,
  ];
  if (ensemble !== null) {
    lines.push('standaloneEnabled=false');
    for (const { id, quorumPort, electionPort } of ensemble.members)
      lines.push(`server.${id}=127.0.0.1:${quorumPort}:${electionPort}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Of a release's own logging (since 3.8); without it, it would log every packet. Debian's jars are told by a property. */
export const LOGBACK_CONFIGURATION = `<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %-5p %c{1}: %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="CONSOLE"/></root>
</configuration>
`;
