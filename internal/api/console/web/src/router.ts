import { useEffect, useState } from "preact/hooks";

/** Where the person is: the parts of the address after #/, unescaped, and its query. */
export interface Place { path: string[]; query: URLSearchParams }

function read(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { path: parts, query: new URLSearchParams(query) };
}

/** The address of a place. It is kept behind #, where names such as .. mean nothing to browsers and servers. */
export function address(path: string[], query: Record<string, string> = {}): string {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return "#/" + path.map(encodeURIComponent).join("/") + (search ? "?" + search : "");
}

export function go(path: string[], query: Record<string, string> = {}): void {
  location.hash = address(path, query);
}

export function usePlace(): Place {
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const changed = () => setPlace(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return place;
}
