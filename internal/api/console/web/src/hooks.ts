import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** Something that is being loaded, or was, or could not be. While it is loaded again the old value stays. */
export interface Loaded<T> { value?: T; error?: unknown; loading: boolean; reload: () => void }

/** Loads when something of the inputs changes, and gives up what is then under way. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, inputs: unknown[]): Loaded<T> {
  const [state, setState] = useState<{ value?: T; error?: unknown; loading: boolean }>({ loading: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setState(({ value }) => (value === undefined ? { loading: true } : { value, loading: true }));
    load(stop.signal).then(
      (value) => { if (!stop.signal.aborted) setState({ value, loading: false }); },
      (error) => { if (!stop.signal.aborted) setState({ error, loading: false }); },
    );
    return () => stop.abort();
  }, [...inputs, turn]);
  return { ...state, reload: useCallback(() => setTurn((n) => n + 1), []) };
}

/** Something that a person starts. One run at a time; leaving the page gives it up. */
export interface Action<In extends unknown[], Out> {
  busy: boolean;
  error?: unknown;
  result?: Out;
  run: (...input: In) => Promise<Out | undefined>;
  clear: () => void;
}

export function useAction<In extends unknown[], Out>(act: (signal: AbortSignal, ...input: In) => Promise<Out>): Action<In, Out> {
  const [state, setState] = useState<{ busy: boolean; error?: unknown; result?: Out }>({ busy: false });
  const under = useRef<AbortController | null>(null);
  useEffect(() => () => under.current?.abort(), []);
  const run = async (...input: In): Promise<Out | undefined> => {
    under.current?.abort();
    const stop = new AbortController();
    under.current = stop;
    setState(({ result }) => (result === undefined ? { busy: true } : { busy: true, result }));
    try {
      const result = await act(stop.signal, ...input);
      if (!stop.signal.aborted) setState({ busy: false, result });
      return stop.signal.aborted ? undefined : result;
    } catch (error) {
      if (!stop.signal.aborted) setState({ busy: false, error });
      return undefined;
    }
  };
  const clear = useCallback(() => {
    under.current?.abort();
    setState({ busy: false });
  }, []);
  return { ...state, run, clear };
}

/** The value, once it has stayed the same for so many milliseconds. */
export function useSettled<T>(value: T, milliseconds: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
