export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `host:port`; an IPv6 address in brackets. */
export function formatAddress({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
