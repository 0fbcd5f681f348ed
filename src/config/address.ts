export interface Address {
  readonly host: string;
  readonly port: number;
}

export const PORT_MAX = 65_535;
const HOST = /^(?:\[([0-9a-f:.%\w]+)\]|([^\s:/@[\]]+))$/i;

/** A host name or an IP literal, IPv6 in brackets; null if it is neither. */
function parseHost(text: string): string | null {
  const match = HOST.exec(text);
  return match?.[1] ?? match?.[2] ?? null;
}

/** `HOST:PORT`, `[IPv6]:PORT`; null if it does not parse. */
export function parseAddress(text: string): Address | null {
  const colon = text.lastIndexOf(':');
  const host = parseHost(text.slice(0, Math.max(colon, 0)));
  const digits = text.slice(colon + 1);
  if (host === null || !/^\d{1,5}$/.test(digits) || Number(digits) > PORT_MAX) return null;
  return { host, port: Number(digits) };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
