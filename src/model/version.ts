/** The version of this package. `make check` compares it with package.json. */
export const VERSION = '0.1.0';
