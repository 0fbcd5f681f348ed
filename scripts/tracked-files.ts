/** Rules over every tracked file: it holds something, and nothing in it depends on one machine or one package registry. */

interface TrackedFileRule {
  readonly text: string;
  readonly pattern: RegExp;
  /** Only in these files; everywhere when absent. */
  readonly files?: RegExp;
}

const RULES: readonly TrackedFileRule[] = [
  { text: 'nothing at all', pattern: /^\s*$/g },
  { text: 'a path of one machine', pattern: /(?<![\w.~$}*-])\/(?:work|root)\/[\w.-]/g },
  { text: 'a home directory', pattern: /(?<![\w.-])\/(?:home|Users)\/[A-Za-z_][\w.-]*\//g },
  { text: 'a home directory', pattern: /\b[A-Z]:\\+Users\\+/g },
  {
    text: 'the address of a package registry',
    pattern: /\bhttps?:\/\/[^\s"'/]*\b(?:registry|npmjs|artifactory|nexus)\b/gi,
  },
  {
    text: 'a download address',
    pattern: /"resolved"\s*:\s*"(?!file:)/g,
    files: /(?:^|\/)package-lock\.json$/,
  },
  { text: 'a registry setting', pattern: /^\s*(?:@[\w-]+:)?registry\s*=/gm, files: /(?:^|\/)\.npmrc$/ },
  { text: 'a credential', pattern: /_(?:authToken|auth|password)\s*=/g, files: /(?:^|\/)\.npmrc$/ },
];

/** What is wrong with one tracked file, one line each. */
export function offencesIn(path: string, content: string): string[] {
  return RULES.filter(({ files }) => files === undefined || files.test(path)).flatMap(({ text, pattern }) =>
    [...content.matchAll(pattern)].map((match) => {
      const line = content.slice(0, match.index).split('\n').length;
      return `${path}:${line}: ${text}: ${match[0].trim()}`;
    }),
  );
}

type Versions = Readonly<Record<string, string>>;
interface PackageFacts {
  readonly version: string;
  readonly dependencies: Versions;
  readonly devDependencies: Versions;
}

/** The lock file must be of this package.json, or the pinned versions are not those that were asked for. */
export function lockDisagreements(manifest: PackageFacts, lockRoot: PackageFacts): string[] {
  const wanted = { ...manifest.dependencies, ...manifest.devDependencies };
  const locked: Versions = { ...lockRoot.dependencies, ...lockRoot.devDependencies };
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(locked)])].sort();
  const show = (range: string | undefined): string => range ?? 'nothing';
  return [
    ...(manifest.version === lockRoot.version
      ? []
      : [`package-lock.json: version ${lockRoot.version}, package.json: ${manifest.version}`]),
    ...names
      .filter((name) => wanted[name] !== locked[name])
      .map(
        (name) =>
          `package-lock.json: ${name} is ${show(locked[name])}, package.json asks for ${show(wanted[name])}`,
      ),
  ];
}
