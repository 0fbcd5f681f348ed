/** For users of the client: a write that may have been carried out, or may yet be. */
export { InDoubtError } from '../rpc/kv-errors.ts';
