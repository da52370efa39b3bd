import { run } from "./cli/cli.ts";
import { args, exit } from "./deno/process.ts";

await exit(await run(args));
