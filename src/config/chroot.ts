/** Where in ZooKeeper a cluster lies: its own path rules, and none that leads elsewhere. */
export const CHROOT = {
  pattern: /^(?:\/(?!\.{1,2}(?:\/|$))[\w.-]+)+$/,
  allowed: 'a path such as /caskade, without . and .. in it',
};
