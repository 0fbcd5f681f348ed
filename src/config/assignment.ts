/** Sources in the order of their power: the last one that names a key wins. */
export type Layer = 'file' | 'environment' | 'flag';

/** One value given to one key by one source. */
export interface Assignment {
  readonly layer: Layer;
  /** Where it stands, for people: `conf/x.yaml:12`, `environment CASKADE_RESP__PORT`, `flag --resp.port`. */
  readonly source: string;
  /** The key as written, dotted; not yet known to exist. */
  readonly key: string;
  /** As written. A list only comes from YAML. */
  readonly value: string | readonly string[];
}

/** What a source said: what it assigns, what is wrong with it, what deserves a word. One line each. */
export interface Reading {
  readonly assignments: readonly Assignment[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}
