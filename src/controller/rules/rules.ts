/** Every rule of the controller. Production code calls a rule only through the object it was given. */
export const CONTROLLER_RULES = {};

export type ControllerRules = typeof CONTROLLER_RULES;
