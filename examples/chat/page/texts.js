// What the page says, in both of its languages.
export const texts = {
  en: {
    lang: 'en', prompt: 'Ask something', ask: 'Ask', stop: 'Stop', again: 'New question',
    offline: 'connection lost, coming back …',
    noServer: 'The server does not answer. Try again.',
    noHub: 'The hub does not answer. Trying again in a moment …',
    gap: reason => `A part of the answer is gone (${reason}).`,
    status: { waiting: 'Thinking …', completed: 'Done.', failed: 'The answer failed.', cancelled: 'Stopped.',
      producer_lost: 'The writer of this answer was lost. What came before is shown.' },
  },
  zh: {
    lang: 'zh-CN', prompt: '请输入问题', ask: '发送', stop: '停止', again: '新问题',
    offline: '连接已断开,正在重连……',
    noServer: '服务器没有响应,请重试。',
    noHub: '消息中心没有响应,稍后自动重试……',
    gap: reason => `回答有一部分已丢失(${reason})。`,
    status: { waiting: '思考中……', completed: '已完成。', failed: '回答失败。', cancelled: '已停止。',
      producer_lost: '生成中断:写回答的进程已丢失。以上是已收到的内容。' },
  },
};
