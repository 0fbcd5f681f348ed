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
  | { readonly ok: false; readonly reason: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** Of Debian's package libzookeeper-java; its manifest names the jars that it needs. */
const DEBIAN_JAR = '/usr/share/java/zookeeper.jar';
/** Prints what the server logs; without it the server says nothing. */
const DEBIAN_LOGGING_JAR = '/usr/share/java/slf4j-simple.jar';

/** ZOOKEEPER_HOME (an unpacked release: its lib/*.jar) where it is set, else Debian's package. */
export function findZooKeeper(environment: Environment = process.env): FoundZooKeeper {
  const classPath = findClassPath(environment);
  if (!classPath.ok) return classPath;
  const java = findJava(environment);
  if (java === null) return { ok: false, reason: 'there is no java on the PATH, and JAVA_HOME names none' };
  return { ok: true, installation: { java, classPath: classPath.value } };
}

type FoundClassPath =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly reason: string };

function findClassPath(environment: Environment): FoundClassPath {
  const home = environment.ZOOKEEPER_HOME ?? '';
  if (home === '') {
    if (!existsSync(DEBIAN_JAR)) return { ok: false, reason: 'ZooKeeper is not installed' };
    return { ok: true, value: `${DEBIAN_JAR}:${DEBIAN_LOGGING_JAR}` };
  }
  // Releases before 3.5 have their own jar beside lib/.
  const folders = [home, join(home, 'lib')].filter(holdsZooKeeper);
  if (folders.length === 0)
    return { ok: false, reason: `ZOOKEEPER_HOME is ${home}: there is no zookeeper*.jar in it or its lib/` };
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
