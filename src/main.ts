import { run } from "./cli/cli.ts";
import { args, complain, exit } from "./deno/process.ts";

/** What nothing else has caught is a fault of the program: it ends, and says so. */
run(args).then(exit, (error) => {
  complain(`dinopost: internal error: ${error instanceof Error ? error.stack : error}`);
  return exit(70);
});
