import { MemoryCoordinator } from '../support/memory-coordinator.ts';
import { describeCoordinator } from './coordinator-contract.ts';

describeCoordinator('the coordinator in memory', { factory: async () => new MemoryCoordinator() });
