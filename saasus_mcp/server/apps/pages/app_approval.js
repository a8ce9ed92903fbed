// The app of approvals: what a call waits for, or in a line what became of it.

start((result) => {
  if (isObject(result.data.approval)) return approvalView(result.data.approval);
  if (result.failed) return failureView(result);
  return finishedView();
});
