import { get } from 'node:http';

/** What a service's health port says: `silent` is no answer, or one that says it is not live. */
export type Vitals = 'ready' | 'live' | 'silent';

const patience = 3000;

export async function probe(port: number): Promise<Vitals> {
  if (await says200(port, '/ready')) return 'ready';
  return (await says200(port, '/health')) ? 'live' : 'silent';
}

function says200(port: number, path: string): Promise<boolean> {
  return new Promise((answer) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: patience }, (response) => {
      response.resume();
      answer(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => answer(false));
  });
}
