import { checkProposal } from './check-proposal.ts';
import { decide } from './decide.ts';
import { LEAF_RULES } from './leaf-rules.ts';

/**
 * Every rule of the controller. Production code calls a rule only through the object it was given, so that a test can
 * replace one. `decide` and `checkProposal` take the rules they need as their first argument.
 */
export const CONTROLLER_RULES = { ...LEAF_RULES, checkProposal, decide };

export type ControllerRules = typeof CONTROLLER_RULES;
