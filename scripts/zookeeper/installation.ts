import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../processes/bound-child.ts';

/** What is needed to run a ZooKeeper server. */
export interface ZooKeeperInstallation {
  readonly java: string;
  readonly classPath: string;
}

export type FoundZooKeeper =
  | { readonly ok: true; readonly installation: ZooKeeperInstallation }
  /** `reason` says what to do; `isMissing`: an installation would help. */
  | { readonly ok: false; readonly isMissing: boolean; readonly reason: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** Of Debian's package libzookeeper-java; its manifest names the jars that it needs. */
const DEBIAN_JAR = '/usr/share/java/zookeeper.jar';
/** Prints what the server logs; without it the server says nothing. */
const DEBIAN_LOGGING_JAR = '/usr/share/java/slf4j-simple.jar';

/** What installs Debian's packages. */
export const INSTALL_COMMAND = 'scripts/setup-system.sh zookeeper';
const REMEDY = `run ${INSTALL_COMMAND}, or unpack a release of ZooKeeper and set ZOOKEEPER_HOME to its folder`;

/** ZOOKEEPER_HOME (an unpacked release: its lib/*.jar) where it is set, else Debian's package. */
export function findZooKeeper(environment: Environment = process.env): FoundZooKeeper {
  const classPath = findClassPath(environment);
  if (!classPath.ok) return classPath;
  const java = findJava(environment);
  if (java === null)
    return {
      ok: false,
      isMissing: true,
      reason: `there is no java on the PATH or in JAVA_HOME: run ${INSTALL_COMMAND}`,
    };
  return { ok: true, installation: { java, classPath: classPath.value } };
}

function findClassPath(
  environment: Environment,
): { readonly ok: true; readonly value: string } | Extract<FoundZooKeeper, { ok: false }> {
  const home = environment.ZOOKEEPER_HOME ?? '';
  if (home === '') {
    if (!existsSync(DEBIAN_JAR))
      return { ok: false, isMissing: true, reason: `ZooKeeper is not installed: ${REMEDY}` };
    return { ok: true, value: `${DEBIAN_JAR}:${DEBIAN_LOGGING_JAR}` };
  }
  // Releases before 3.5 have their own jar beside lib/.
  const folders = [home, join(home, 'lib')].filter(holdsZooKeeper);
  if (folders.length === 0)
    return {
      ok: false,
      isMissing: false,
      reason: `ZOOKEEPER_HOME is ${home}, and there is no zookeeper*.jar in it or its lib/: correct or unset it`,
    };
  return { ok: true, value: [join(home, '*'), join(home, 'lib', '*')].join(':') };
}

function holdsZooKeeper(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).some((name) => /^zookeeper-?[\d.]*\.jar$/.test(name));
}

function findJava(environment: Environment): string | null {
  const home = environment.JAVA_HOME ?? '';
  const own = join(home, 'bin/java');
  return home !== '' && existsSync(own) ? own : findProgram('java', environment);
}
