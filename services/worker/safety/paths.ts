/** Which places on a machine are none of an agent's business. */
import { posix } from 'node:path';

/** With `~` for every home, without detours, and without what programs put in front of a path (`if=`, `@`). */
export function plainPath(word: string): string {
  const path = word
    .replace(/^(?:-{1,2}[\w-]{1,40}[= ]|\w{1,20}=)?(?:@|file:\/\/)?/, '')
    .replace(/^(?:\$HOME|\$\{HOME\})(?=\/|$)/, '~');
  if (!/^(?:[/~.]|\w)/.test(path) || !path.includes('/')) return path;
  return (
    posix
      .normalize(path)
      // Up and up, it ends at the root.
      .replace(/^(?:\.\.\/){2,}(?=(?:root|home|etc|proc|run|var|dev)(?:\/|$))/, '/')
      .replace(/^\/(?:root|home\/[^/]+|Users\/[^/]+)(?=\/|$)/, '~')
  );
}

const credentials: readonly RegExp[] = [
  /^~\/\.ssh(?:\/(?!known_hosts|config$|authorized_keys$|[^/]*\.pub$)|$)/,
  /^~\/\.(?:aws|azure|gnupg|kube|password-store)(?:\/|$)/,
  /^~\/\.config\/(?:gcloud|gh|op)(?:\/|$)/,
  /^~\/\.(?:netrc|git-credentials|pgpass|npmrc|pypirc|vault-token)$/,
  /^~\/\.docker\/config\.json$/,
  /^\/etc\/(?:shadow|gshadow|sudoers|master\.passwd)-?(?:$|\.)/,
  /^\/etc\/sudoers\.d(?:\/|$)/,
  /^\/etc\/ssh\/ssh_host_[\w*]+_key$/,
  /^\/etc\/kubernetes\/(?:admin\.conf|pki\/.*\.key)/,
  /^\/proc\/[^/]+\/(?:environ|mem)$/,
  /^(?:\/var)?\/run\/secrets(?:\/|$)/,
];

export const isCredential = (path: string): boolean => credentials.some((place) => place.test(path));

/** What is run later, by others: written once, it outlives the task and its sandbox. */
const startsLater: readonly RegExp[] = [
  /(?:^|\/)\.git\/(?:hooks\/(?!.*\.sample$)|config$|info\/attributes$)/,
  /^\/etc\/ld\.so\.(?:preload|conf)/,
  /^\/etc\/(?:cron[\w.]*|init\.d|systemd|profile|profile\.d|pam\.d|sudoers|sudoers\.d|rc\.local|passwd|shadow)(?:\/|$)/,
  /^\/(?:usr\/)?lib\/systemd\/system\//,
  /^\/var\/spool\/cron(?:\/|$)/,
  /^~\/\.(?:bashrc|bash_profile|profile|zshrc|zprofile|ssh\/authorized_keys|config\/systemd\/|config\/autostart\/)/,
];

export const isStartedLater = (path: string): boolean => startsLater.some((place) => place.test(path));

/** The root, or a directory that the system or its people cannot do without, or all in it. */
export function isSystem(path: string): boolean {
  return (
    /^\/(?:\.?\*)?$/.test(path) ||
    /^\/(?:bin|boot|dev|etc|lib|lib32|lib64|proc|sbin|sys|usr)(?:\/|$)/.test(path) ||
    /^\/(?:home|opt|root|run|srv|var|Users)(?:\/\*?)?$/.test(path) ||
    /^\/var\/(?:lib|log|run|spool|backups)(?:\/\*?)?$/.test(path)
  );
}

/** A disk or memory, and not `/dev/null` and its like. */
export const isDevice = (path: string): boolean =>
  /^\/dev\/(?:sd|hd|vd|xvd|nvme|mmcblk|disk|mapper|dm-|loop|md|mem|kmem|port|ram)/.test(path);
