/** The Redis whose commands and replies clients may expect: they switch features on by it. */
export const REDIS_VERSION = '7.2.4';
