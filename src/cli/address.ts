import { CaskadeError } from '../model/errors.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const DEFAULT_ADDRESS: Address = { host: '127.0.0.1', port: 6379 };

const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;
const ADDRESS = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^:[\]]+)):(\d{1,5})$/;

/**
 * Reads `host:port`, an IPv6 host in brackets (`[::1]:6379`).
 * Throws CaskadeError `usage` that names the value and what is allowed.
 */
export function parseAddress(text: string): Address {
  const [, literal, name, digits] = ADDRESS.exec(text) ?? [];
  const port = Number(digits);
  const host = literal ?? name;
  const wrong =
    host === undefined || (name !== undefined && !validName(name)) || !(port >= 1 && port <= 65535);
  if (wrong) {
    throw new CaskadeError(
      'usage',
      `invalid address '${text}': expected HOST:PORT with a port of 1 to 65535, as in 127.0.0.1:6379 or [::1]:6379`,
    );
  }
  return { host, port };
}

/** A name, or a dotted quad of numbers up to 255: 999.1.1.1 is an address with a typing error, not a name. */
function validName(name: string): boolean {
  if (!HOST_NAME.test(name)) return false;
  if (!/^[0-9.]+$/.test(name)) return true;
  const parts = name.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
