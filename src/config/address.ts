import type { HostPort } from '../model/host-port.ts';

export type { HostPort as Address } from '../model/host-port.ts';

export const PORT_MAX = 65_535;
const IPV6 = /^[0-9a-f:.]*:[0-9a-f:.]*(?:%[\w.-]+)?$/i;
const NAME = /^\w(?:[\w.-]*[\w.])?$/;

/** A host name, an IPv4 or an IPv6 literal. 999.1.1.1 is an address with a slip in it, not a name. */
export function isHost(text: string): boolean {
  if (IPV6.test(text)) return true;
  if (!NAME.test(text)) return false;
  if (!/^[\d.]+$/.test(text)) return true;
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

/** The host of an address: IPv6 stands in brackets there. */
function parseHost(text: string): string | null {
  const literal = /^\[(.*)\]$/.exec(text)?.[1];
  const host = literal ?? text;
  return isHost(host) && (literal !== undefined) === host.includes(':') ? host : null;
}

/** `HOST:PORT`, `[IPv6]:PORT`; null if it does not parse. */
export function parseAddress(text: string): HostPort | null {
  const colon = text.lastIndexOf(':');
  const host = parseHost(text.slice(0, Math.max(colon, 0)));
  const digits = text.slice(colon + 1);
  if (host === null || !/^\d{1,5}$/.test(digits) || Number(digits) > PORT_MAX) return null;
  return { host, port: Number(digits) };
}

export { formatAddress } from '../model/host-port.ts';
