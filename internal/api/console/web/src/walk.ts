import { useEffect, useRef, useState } from "preact/hooks";

/** What a walk has found so far. */
export interface Walk<T> { found: T[]; more: boolean; seen: number; done: boolean; error?: unknown; stop: () => void }

interface Page<T> { items: T[]; next: string | undefined }

/**
 * Looks through a whole list, page by page, for what the API has no filter for. It ends when there are most, at the end, when it is stopped, and
 * begins anew when an input changes. Without a wanted it does not begin, and there is none.
 */
export function useWalk<T>(read: (token: string | undefined, signal: AbortSignal) => Promise<Page<T>>, wanted: ((item: T) => boolean) | null, most: number, inputs: unknown[]): Walk<T> | null {
  const [state, setState] = useState<Omit<Walk<T>, "stop"> | null>(null);
  const halt = useRef(() => {});
  useEffect(() => {
    setState(null);
    if (!wanted) return;
    const stop = new AbortController();
    const so = { found: [] as T[], more: false, seen: 0, done: false };
    const show = (change: Partial<Walk<T>>) => setState({ ...so, found: [...so.found], ...change });
    halt.current = () => {
      stop.abort();
      show({ done: true });
    };
    const walk = async () => {
      let token: string | undefined;
      do {
        const page = await read(token, stop.signal);
        so.seen += page.items.length;
        so.found.push(...page.items.filter(wanted));
        so.more = so.found.length > most;
        if (so.more) so.found.length = most;
        token = so.more ? undefined : page.next;
        so.done = !token;
        if (!stop.signal.aborted) show({});
      } while (token);
    };
    walk().catch((error) => { if (!stop.signal.aborted) show({ done: true, error }); });
    return () => stop.abort();
  }, inputs);
  return state && { ...state, stop: () => halt.current() };
}
