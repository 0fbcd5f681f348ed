/** For clients, which know of a cluster only what services tell, and of keys to which slot they belong. */
export { slotOf } from '../cluster/slots.ts';
