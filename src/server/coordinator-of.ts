import type { Config } from '../config/table.ts';
import type { CoordinatorFactory } from '../coordination/coordinator.ts';
import { CaskadeError } from '../model/errors.ts';
import type { ServerDoors } from './server-parts.ts';

export function coordinatorOf(_config: Config, _doors: ServerDoors): CoordinatorFactory {
  throw new CaskadeError('configurationInvalid', 'coordinator: zookeeper is not available yet');
}
