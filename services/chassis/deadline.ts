/** Waits for something, but not longer than `ms`. What it waits for goes on. */
export async function within(ms: number, wait: Promise<unknown> | null | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((passed) => {
    timer = setTimeout(passed, ms);
  });
  try {
    await Promise.race([wait, late]);
  } finally {
    clearTimeout(timer);
  }
}
