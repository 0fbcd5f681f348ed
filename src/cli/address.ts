import { type Address, parseAddress as parse } from '../config/address.ts';
import { CaskadeError } from '../model/errors.ts';

export { type Address, formatAddress } from '../config/address.ts';

export const DEFAULT_ADDRESS: Address = { host: '127.0.0.1', port: 6379 };

/**
 * Reads the address of a server, `host:port`, an IPv6 host in brackets (`[::1]:6379`).
 * Throws CaskadeError `usage` that names the value and what is allowed.
 */
export function parseAddress(text: string): Address {
  const address = parse(text);
  // Port 0 is one to listen on, not one to connect to.
  if (address !== null && address.port > 0) return address;
  throw new CaskadeError(
    'usage',
    `invalid address '${text}': expected HOST:PORT with a port of 1 to 65535, as in 127.0.0.1:6379 or [::1]:6379`,
  );
}
