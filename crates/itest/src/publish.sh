# Runs on a host, in the checkout of one repository: commits the tree that comes in as a tar stream, and pushes it.
# Arguments: REMOTE
# Branch `source` has what we published and nothing else; `main` is that merged with what others pushed (`bbctl tenant add`).
remote=$1
export GIT_AUTHOR_NAME=Developer GIT_AUTHOR_EMAIL=developer@localhost
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
[ -d .git ] || git init -q -b source .
before=$(git rev-parse -q --verify refs/heads/source) || before=
[ -z "$before" ] || git checkout -q -f source
find . -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
tar --no-same-owner -xf -
git add -A
if [ -z "$before" ] || ! git diff --cached --quiet; then
  git commit -q -m "${2:-Publish}"
fi
target=source
if git fetch -q "$remote" +refs/heads/main:refs/remotes/host/main 2>/dev/null; then
  if git merge-base --is-ancestor host/main source; then
    :
  elif git merge-base host/main source >/dev/null; then
    git checkout -q -f -B main host/main
    git merge -q --no-edit source >&2
    target=main
  else
    # `bbctl host init` made a first commit of its own: ours follows it and wins.
    git branch -q -f main "$(git commit-tree -p host/main -p source -m 'Replace the initial content' 'source^{tree}')"
    target=main
  fi
fi
code=0
git push "$remote" "$target:refs/heads/main" 2>&1 || code=$?
if [ $code != 0 ]; then
  # Refused: the next try starts from what the host has.
  if [ -n "$before" ]; then
    git checkout -q -f source
    git reset -q --hard "$before"
  else
    rm -rf .git
  fi
fi
exit $code
