describe('a file', () => {
  it('kills the process', () => {
    process.kill(process.pid, 'SIGKILL');
  });
});
