/** The database engine, in its worker. */

/** The engine's version; rejects where the worker or the engine cannot be had. */
export async function engineVersion(): Promise<string> {
  const worker = new Worker(new URL("./database_worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise<string>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(String(data));
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`start database worker: ${event.message}`));
      };
      worker.postMessage("version");
    });
  } finally {
    worker.terminate();
  }
}
