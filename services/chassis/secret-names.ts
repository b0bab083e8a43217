/** Which values of an environment are secrets. */

export interface Secret {
  /** The variable's name, or what whoever registers it calls it; shown in place of the value. */
  readonly name: string;
  readonly value: string;
}

const secretWords = new Set(
  'KEY KEYS TOKEN SECRET SECRETS PASSWORD PASSWD PASS PWD PASSPHRASE CREDENTIAL CREDENTIALS CREDS AUTH PAT DSN'.split(
    ' ',
  ),
);
/** Also at the end of a longer word: PGPASSWORD, APIKEY. */
const secretEnding = /(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$/;
const notSecret =
  /(?:^|_)(?:PUBLIC|PUB|FILE|PATH|DIR|SOCK|TTL|SIZE|COUNT|TIMEOUT|NAME|TYPE|ALGORITHM)(?:_|$)/;

/** Whether a variable of this name holds a secret, as far as its name says. */
export function looksSecret(name: string): boolean {
  const upper = name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase();
  if (/^(?:OLD)?PWD$/.test(upper) || notSecret.test(upper)) return false;
  return upper.split(/[^A-Z0-9]+/).some((word) => secretWords.has(word) || secretEnding.test(word));
}

/** Values that people put where a secret belongs, and that occur in ordinary text. */
const commonWords = new Set(
  (
    'password passw0rd changeme change-me change_me changeit secret-key secretkey postgres postgresql ravenhelm ' +
    'redpanda localhost development production staging default disabled enabled required optional undefined ' +
    'anonymous administrator mysecret topsecret letmein12 username database placeholder your-api-key your_api_key ' +
    'insecure password1 password123 12345678 123456789 1234567890 test-key testtest test-token dummy-key not-needed'
  ).split(' '),
);

/**
 * The secrets of an environment: values of variables with secret names, and passwords in addresses whatever the
 * variable is called. Left out is what is too short (under 8 characters) or too common to be told from ordinary text:
 * words like `changeme`, numbers, paths, and passwords equal to their user or database.
 */
export function secretsOf(env: Readonly<Record<string, string | undefined>>): readonly Secret[] {
  const secrets: Secret[] = [];
  for (const [name, found] of Object.entries(env)) {
    const value = found?.trim() ?? '';
    if (value.length < 3) continue;
    const values = new Set(passwordsInUrls(value));
    if (looksSecret(name)) {
      for (const part of secretParts(value)) values.add(part);
    }
    for (const secret of values) {
      if (isTellable(secret)) secrets.push({ name, value: secret });
    }
  }
  return secrets;
}

/** The value, its tokens (the lines of a PEM), and the secret fields of credentials in JSON. */
function secretParts(value: string): string[] {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(value)) return [];
  const parts = [value];
  if (/\s/.test(value))
    parts.push(...value.split(/\s+/).filter((part) => part.length >= 16 && isRandom(part)));
  if (value.startsWith('{')) {
    try {
      JSON.parse(value, (key, inner: unknown) => {
        if (typeof inner === 'string' && looksSecret(key)) parts.push(...secretParts(inner.trim()));
        return inner;
      });
    } catch {
      // Not JSON: the value as a whole is the secret.
    }
  }
  return parts;
}

function passwordsInUrls(value: string): string[] {
  const found: string[] = [];
  for (const [, user = '', password = '', rest = ''] of value.matchAll(
    /:\/\/([^\s:/@]{0,256}):([^\s/]{1,1024})@([^\s,]{0,1024})/g,
  )) {
    // A default of somebody's test database; scrubbed everywhere, it would make logs unreadable.
    if (password === user || rest.replace(/[?#].*$/, '').endsWith(`/${password}`)) continue;
    found.push(password);
    try {
      found.push(decodeURIComponent(password));
    } catch {
      // A lone % means itself.
    }
  }
  return found;
}

function isTellable(value: string): boolean {
  if (value.length < 8 || commonWords.has(value.toLowerCase())) return false;
  if (/^[\d.,:_-]{1,12}$/.test(value) || /^(.)\1*$/.test(value) || value.includes('[secret')) return false;
  if (/^[A-Z]+(?:_[A-Z]+)+$/.test(value)) return false;
  return !isPath(value);
}

/** A path, and not one of the keys in base64 that begin with a slash. */
function isPath(value: string): boolean {
  if (!/^(?:~|\.{1,2}|[A-Za-z]:)?[/\\][\w .@/\\-]*$/.test(value)) return false;
  return !value.split(/[/\\]/).some((part) => part.length >= 16 && isRandom(part));
}

/** Letters and digits, or both cases, mixed as in no word. */
export function isRandom(text: string): boolean {
  return (/\d/.test(text) && /[A-Za-z]/.test(text)) || /[a-z][A-Z]/.test(text);
}
