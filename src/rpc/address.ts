import type { HostPort } from '../model/host-port.ts';

/** `host:port`, an IPv6 address in brackets, as nodes register it. What is not one has port 0, which nobody has. */
export function parseAddress(address: string): HostPort {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, '$1');
  const port = Number(address.slice(colon + 1));
  const isPort = Number.isInteger(port) && port > 0 && port <= 65_535;
  return { host, port: isPort ? port : 0 };
}
